"""The ways in which the outputs of a model of rows are read, by the names that ``model.toml`` has for them.

Apart from `edged.decode.tabular`, which only a model of rows needs to have loaded.
"""

FAMILIES = ("classifier", "regressor", "anomaly", "autoencoder", "outputs")
