# For type checkers and editors. In __init__.py, even an import under TYPE_CHECKING would make
# every stage depend on `digits.library`.
from digits.library import Model, Prediction, UserError, load_model

__all__ = ["Model", "Prediction", "UserError", "load_model"]
