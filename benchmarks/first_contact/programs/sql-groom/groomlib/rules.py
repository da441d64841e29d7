"""House rules of the data team."""
from sqlfluff.core.rules import BaseRule, LintResult, RuleContext
from sqlfluff.core.rules.crawlers import SegmentSeekerCrawler


class Rule_House_TM01(BaseRule):
    """Temporary tables must not be read by a model.

    **Anti-pattern**

    .. code-block:: sql

        SELECT a FROM tmp_orders

    **Best practice**

    .. code-block:: sql

        SELECT a FROM analytics.orders
    """

    name = "house.temporary"
    aliases = ("H001",)
    groups = ("all", "house")
    crawl_behaviour = SegmentSeekerCrawler({"table_reference"})
    is_fix_compatible = False

    def _eval(self, context: RuleContext):
        last = context.segment.raw.split(".")[-1].lower()
        if last.startswith("tmp_"):
            return LintResult(
                anchor=context.segment,
                description=f"Temporary table {last!r} is used.",
            )
        return None


class Rule_House_DR01(BaseRule):
    """Models must not drop anything.

    **Anti-pattern**

    .. code-block:: sql

        DROP TABLE a

    **Best practice**

    .. code-block:: sql

        TRUNCATE TABLE a
    """

    name = "house.drop"
    aliases = ("H002",)
    groups = ("all", "house")
    crawl_behaviour = SegmentSeekerCrawler({"drop_table_statement"})
    is_fix_compatible = False

    def _eval(self, context: RuleContext):
        return LintResult(anchor=context.segment, description="DROP in a model.")


HOUSE_RULES = [Rule_House_TM01, Rule_House_DR01]
