"""VESC motor controllers, as research exoskeletons have them: asked for their values, and for nothing else."""
