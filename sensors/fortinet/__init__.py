"""What the logs of FortiGate and FortiProxy have in common: keys, times, columns and their meaning.

This package defines no sensor; `fortigate` and `fortiproxy` beside it do.
"""
