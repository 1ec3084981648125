"""Records of partners' TempIDs: hands theirs over to them, and takes in those of our phones."""
