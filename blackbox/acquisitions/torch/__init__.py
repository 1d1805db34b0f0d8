"""Acquisitions that BoTorch computes; importing one of these modules imports PyTorch."""
