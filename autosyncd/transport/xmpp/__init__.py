"""Step 7: other machines, over XMPP."""
