"""Files of this machine: what they were when somebody looked, their md5s, what is remembered of them. Private."""
