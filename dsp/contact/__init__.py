"""What foot and shank share: the detector around their kernels, events, the parts of a cycle, swings and strides."""
