"""The frozen report and what draws it: a renderer sees nothing else."""
