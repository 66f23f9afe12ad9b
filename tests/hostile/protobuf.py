"""Numbers and messages in, the bytes of protobuf out: https://protobuf.dev/programming-guides/encoding/."""


def varint(number):
    out = b""
    while number > 0x7F:
        out += bytes([number & 0x7F | 0x80])
        number >>= 7
    return out + bytes([number])


def message(number, content):
    """A field of protobuf that has a length."""
    return varint(number << 3 | 2) + varint(len(content)) + content
