"""Cutie (Cheng et al., CVPR 2024) through the library rf-cutie, as a family of networks."""
