"""The solved exercises, apart from the labs: one module a lab, one function an exercise."""
