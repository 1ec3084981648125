"""What other apps and servers are tested with: known answers, and checks of a server or a phone."""
