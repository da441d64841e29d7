Feature: The median of a list

  Background:
    Given the answer of the student

  Scenario: Odd number of values
    When the values 5, 1, 3 are given
    Then the median is 3

  Scenario Outline: Various lists
    When the values <values> are given
    Then the median is <expected>

    Examples:
      | values     | expected |
      | 4, 2       | 3        |
      | 9          | 9        |
      | 1, 2, 3, 4 | 2.5      |
