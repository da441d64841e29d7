from transliterate.base import TranslitLanguagePack, registry


class PassportLanguagePack(TranslitLanguagePack):
    """Russian names as they are written in passports."""

    language_code = "ru-passport"
    language_name = "Russian (passport)"
    mapping = (
        "abvgdezijklmnoprstufyABVGDEZIJKLMNOPRSTUFY",
        "абвгдезийклмнопрстуфыАБВГДЕЗИЙКЛМНОПРСТУФЫ",
    )
    reversed_specific_pre_processor_mapping = {
        "ж": "zh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch",
        "ю": "iu", "Ю": "Iu", "Щ": "Shch", "я": "ia", "х": "kh", "ь": "", "ъ": "ie", "ё": "e", "э": "e",
    }


registry.register(PassportLanguagePack)
