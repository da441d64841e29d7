"""A module."""

answer = 42
