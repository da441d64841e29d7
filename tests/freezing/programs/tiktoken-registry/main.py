import tiktoken


def main():
    names = tiktoken.list_encoding_names()
    assert "cl100k_base" in names, names
    name = tiktoken.encoding_name_for_model("gpt-4")
    assert name == "cl100k_base"
    try:
        tiktoken.get_encoding("nope")
    except ValueError as e:
        msg = str(e)
    assert "Plugins found" in msg, msg
    assert "tiktoken_ext.openai_public" in msg, msg
    print("OK tiktoken-registry", len(names), ",".join(sorted(names)))


main()
