"""What is wrong with a data set: rules, each in a file of its own, and the findings they make."""

from nablab.data.checks.examine import Examination, by_severity
from nablab.data.checks.finding import Finding, Row
from nablab.data.checks.subject import check

__all__ = ["Examination", "Finding", "Row", "by_severity", "check"]
