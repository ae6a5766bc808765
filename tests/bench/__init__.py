"""Measurements that a person runs by hand; none is a test."""
