"""Update: the work tree follows, under the person's hands."""
