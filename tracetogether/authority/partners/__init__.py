"""Other authorities whose passes are recognised: their keys, confirmed by two people."""
