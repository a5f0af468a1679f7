"""Figures of a study: functions from plain records to matplotlib figures, whose labels are their text alternatives."""
