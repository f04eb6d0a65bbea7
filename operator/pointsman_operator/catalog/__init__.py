"""The bundled price and capability catalogue, and what was learnt: data, and looking it up."""
