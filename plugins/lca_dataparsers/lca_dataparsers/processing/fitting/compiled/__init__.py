"""The fit's objective and its gradient as compiled loops: a fit is thousands of passes over small arrays, in which
tensor operations spend most of their time on being called. The terms of :mod:`..terms` say the same in torch; tests
hold both to each other.
"""
