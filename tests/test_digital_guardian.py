"""Digital Guardian: what says that there is no value, kinds of incidents."""

from __future__ import annotations

from text_sensors import events, sample_lines, source_of

from sensors.digital_guardian import SENSOR


def test_words_for_nothing_are_no_values() -> None:
    row = events(SENSOR, source_of("\n".join(sample_lines("digital_guardian"))))[-1]
    assert not {"user.name", "rule.name", "digital_guardian.arc.dg_comment"} & {
        name for name, value in row.items() if value is not None
    }
    assert (row["event.action"], row["event.severity"]) == ("incident-closed", 9)
    assert row["@timestamp"].isoformat() == "2026-10-05T14:03:39+00:00"
