"""Who a case met: evidence from all logs, one case's contacts, the graph of all cases."""
