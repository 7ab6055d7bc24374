"""Several processes behind one port, each of them a whole server: who starts them, and what each is told."""
