"""The person in front of the machine; sleep and network."""
