"""All rules, in the order in which their findings are told."""

from __future__ import annotations

from nablab.data.checks.material import Material
from nablab.data.checks.rule import Rule
from nablab.data.checks.rules import (
    blank,
    channel_drift,
    colours,
    contradictions,
    exact_duplicates,
    exact_leak,
    imbalance,
    label_drift,
    missing_classes,
    near_contradictions,
    near_duplicates,
    near_leak,
    orientations,
    saturated,
    sizes,
    small_classes,
    truncated,
    unreadable,
)
from nablab.data.checks.survey import Survey

#: Asked of picture files before they are brought to one size and colour.
FILE_RULES: dict[str, Rule[Survey]] = {
    module.RULE.name: module.RULE for module in (unreadable, sizes, orientations, colours)
}

#: Asked of samples; those that are of images only are left out for features.
DATA_RULES: dict[str, Rule[Material]] = {
    module.RULE.name: module.RULE
    for module in (
        exact_leak,
        contradictions,
        exact_duplicates,
        near_leak,
        near_contradictions,
        near_duplicates,
        blank,
        truncated,
        saturated,
        missing_classes,
        small_classes,
        imbalance,
        label_drift,
        channel_drift,
    )
}
