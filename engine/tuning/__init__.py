"""Search over the settings of training: a space, a study that can go on after a stop, an objective on repeated cuts."""
