"""The benchmark of quality diversity: our optimizers beside pyribs and QDax in the same run."""
