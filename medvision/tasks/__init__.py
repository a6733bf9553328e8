"""LightningModules: what is learned, from which loss, with which optimizer."""
