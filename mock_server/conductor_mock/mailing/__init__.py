"""Mails that leave the farm: `smtp` sends one, `mailer` decides which and when, in a thread of its own."""
