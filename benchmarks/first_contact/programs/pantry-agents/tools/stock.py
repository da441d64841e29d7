"""Tools of the pantry clerk; strands loads them from this file."""
from strands import ToolContext, tool

PRICES = {"rice": 2.4, "beans": 1.9, "oats": 3.1}


@tool
def price_of(item: str) -> str:
    """Price of one kilogram.

    Args:
        item: The name of the item.
    """
    return f"{item} costs {PRICES[item]:.2f} per kg"


@tool(context=True)
def reserve(item: str, quantity: int, tool_context: ToolContext) -> str:
    """Reserves a quantity.

    Args:
        item: The name of the item.
        quantity: Kilograms.
    """
    booked = tool_context.agent.state.get("booked") or {}
    booked[item] = booked.get(item, 0) + quantity
    tool_context.agent.state.set("booked", booked)
    return f"reserved {quantity} kg of {item}"
