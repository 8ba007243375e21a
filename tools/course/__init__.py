"""The course kit, made from the chapters and from ``course/``: ``make course``."""
