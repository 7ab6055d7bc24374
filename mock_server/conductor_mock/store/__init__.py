"""What outlives a request: the command log, file contents by md5, what each account holds, and the journal."""
