"""What a submission is made of; `conductor.lib.conductor_submit` is the way in. Private."""
