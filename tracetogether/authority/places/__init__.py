"""Places: devices that phones hear at a fixed spot, and the stays of a case that follow from it."""
