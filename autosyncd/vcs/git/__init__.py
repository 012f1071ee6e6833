"""git behind the door of vcs/driver.py."""
