"""Names as Redshift keeps them."""


def folded(name: str) -> str:
    """The name with ASCII's capitals in lower case, as it is kept however it is quoted.

    https://docs.aws.amazon.com/redshift/latest/dg/r_names.html
    """
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)
