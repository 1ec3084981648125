"""DP-3T in its three designs: low-cost, unlinkable and hybrid; bytes <-> values, no I/O.

Source: white paper of 25 May 2020 (CC-BY 4.0). The designs send the same 16 bytes and differ in
where these come from: a chain of day keys, a seed for each epoch, or a seed for each window.
"""
