"""SKINNY-64-192, the cipher of 8-byte blocks under a key of 24 bytes, for many blocks at once.

Source: Beierle and others, "The SKINNY family of block ciphers", 2016. The cryptography library has
no such cipher, so this room computes it. The blocks are turned on their side (bit slices): one
array holds bit b of all cells of all blocks, so that a substitution is a few logical operations on
whole arrays, and no table is read at a place that depends on a secret.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt

from tracetogether.units import Bytes2D

BLOCK_BYTES: Final = 8
KEY_BYTES: Final = 24
_ROUNDS: Final = 40
_CELLS: Final = 16
_TWEAKEY_ORDER: Final = (9, 15, 8, 13, 10, 14, 12, 11, 0, 1, 2, 3, 4, 5, 6, 7)
_SHIFTED: Final = tuple(4 * row + (column - row) % 4 for row in range(4) for column in range(4))
_SHIFTED_BACK: Final = tuple(_SHIFTED.index(cell) for cell in range(_CELLS))
_CHUNK: Final = 64 * 2_000  # blocks at a time; rows of 2^n bytes would share places of a cache
_ONES: Final = np.uint64(2**64 - 1)
_TURNED: Final = 64 * 125  # blocks that are turned on their side at a time: they stay in a cache

Slices = npt.NDArray[np.uint64]
Work = Callable[[Slices, Slices], Slices]


def encrypt_blocks(key: bytes, blocks: Bytes2D) -> Bytes2D:
    """Return each block encrypted under ``key``, (n, 8) uint8."""
    return _blockwise(blocks, _round_keys(key), _encrypted)


def decrypt_blocks(key: bytes, blocks: Bytes2D) -> Bytes2D:
    """Return each block decrypted under ``key``, (n, 8) uint8."""
    return _blockwise(blocks, _round_keys(key), _decrypted)


def _round_keys(key: bytes) -> Slices:
    """Return what each round adds, (40, 4 bits, 16 cells, 1): key, and the round's constant.

    The three thirds of the key are permuted each round. In the second and third one, the cells of
    the upper rows also step through all values (two shift registers).
    """
    if len(key) != KEY_BYTES:
        raise ValueError(f"a key has {KEY_BYTES} bytes, not {len(key)}")
    cells = [nibble for byte in key for nibble in (byte >> 4, byte & 15)]
    thirds = [cells[at : at + _CELLS] for at in (0, _CELLS, 2 * _CELLS)]
    found = np.zeros((_ROUNDS, 4, _CELLS, 1), dtype=np.uint64)
    constant = 0
    for number in range(_ROUNDS):
        constant = (constant << 1 & 63) | (constant >> 5 ^ constant >> 4 ^ 1) & 1
        added = [thirds[0][cell] ^ thirds[1][cell] ^ thirds[2][cell] for cell in range(8)]
        added += [0] * 8
        for cell, value in ((0, constant & 15), (4, constant >> 4), (8, 2)):
            added[cell] ^= value
        for bit in range(4):
            found[number, bit, :, 0] = [_ONES if value >> bit & 1 else 0 for value in added]
        thirds = [[third[cell] for cell in _TWEAKEY_ORDER] for third in thirds]
        for cell in range(8):
            second, last = thirds[1][cell], thirds[2][cell]
            thirds[1][cell] = (second << 1 & 15) | (second >> 3 ^ second >> 2) & 1
            thirds[2][cell] = last >> 1 | ((last ^ last >> 3) & 1) << 3
    return found


def _blockwise(blocks: Bytes2D, keys: Slices, work: Work) -> Bytes2D:
    count = len(blocks)
    whole = np.zeros((-(-count // 64) * 64, BLOCK_BYTES), dtype=np.uint8)
    whole[:count] = blocks
    for at in range(0, len(whole), _CHUNK):
        part = whole[at : at + _CHUNK]
        state = np.empty((4, _CELLS, len(part) // 64), dtype=np.uint64)
        places = range(0, len(part), _TURNED)
        for place in places:
            words = slice(place // 64, (place + _TURNED) // 64)
            state[..., words] = _slices_of(part[place : place + _TURNED])
        state = work(state, keys)
        for place in places:
            words = slice(place // 64, (place + _TURNED) // 64)
            part[place : place + _TURNED] = _blocks_of(state[..., words])
    return whole[:count]


def _encrypted(state: Slices, keys: Slices) -> Slices:
    for key in keys:
        bits = list(state)  # of value 1, 2, 4, 8
        for turn in range(4):
            bits[0] ^= ~(bits[3] | bits[2])
            if turn < 3:
                bits = [bits[3], *bits[:3]]
        mixed = (np.stack(bits) ^ key)[:, list(_SHIFTED)].reshape(4, 4, 4, -1)
        first, second, third, last = (mixed[:, row] for row in range(4))
        state = np.stack(
            [first ^ third ^ last, first, second ^ third, first ^ third], axis=1
        ).reshape(4, _CELLS, -1)
    return state


def _decrypted(state: Slices, keys: Slices) -> Slices:
    """Return the slices of decrypted blocks; ``state`` is used up.

    The substitution ends with its bits in another order. They stay where they are: plane p of round
    r holds bit p + r modulo 4, and the keys are turned to match.
    """
    place = list(_SHIFTED_BACK)
    unmixed = np.empty_like(state)
    scratch = np.empty_like(state[0])
    first, second, third, last = (state.reshape(4, 4, 4, -1)[:, row] for row in range(4))
    upper = state[:, :8]
    out = [unmixed.reshape(4, 4, 4, -1)[:, row] for row in range(4)]
    for turn, key in enumerate(keys[::-1]):
        np.copyto(out[0], second)
        np.bitwise_xor(second, last, out=out[2])
        np.bitwise_xor(third, out[2], out=out[1])
        np.bitwise_xor(first, last, out=out[3])
        np.take(unmixed, place, axis=1, out=state, mode="clip")
        bits = [state[(bit - turn) % 4] for bit in range(4)]
        np.bitwise_xor(upper, np.roll(key[:, :8], -turn, axis=0), out=upper)
        np.invert(bits[1][8], out=bits[1][8])  # the third constant is always 2
        for step in range(4):
            target = bits[step]
            np.bitwise_or(bits[step - 1], bits[step - 2], out=scratch)
            np.invert(scratch, out=scratch)
            np.bitwise_xor(target, scratch, out=target)
    return np.roll(state, len(keys) % 4, axis=0)


def _slices_of(blocks: Bytes2D) -> Slices:
    """Return bit slices, (4 bits, 16 cells, n / 64), of n blocks.

    The same byte of 8 blocks makes a word, whose 8 x 8 bits are transposed by swapping ever larger
    squares; then byte b of the word is bit b of the 8 blocks.
    """
    words = np.ascontiguousarray(blocks.reshape(-1, 8, 8).transpose(2, 0, 1)).view(np.uint64)
    turned = _turned(words[..., 0]).view(np.uint8).reshape(8, -1, 8)
    planes = np.ascontiguousarray(turned.transpose(0, 2, 1)).view(np.uint64)
    halves = planes.reshape(8, 2, 4, -1)[:, ::-1]  # the high half of a byte is the first cell
    return np.ascontiguousarray(halves.transpose(2, 0, 1, 3)).reshape(4, _CELLS, -1)


def _blocks_of(slices: Slices) -> Bytes2D:
    """Return the blocks of bit slices."""
    halves = slices.reshape(4, 8, 2, -1).transpose(1, 2, 0, 3)[:, ::-1]
    planes = np.ascontiguousarray(halves).reshape(8, 8, -1).view(np.uint8)
    words = np.ascontiguousarray(planes.transpose(0, 2, 1)).view(np.uint64)
    turned = _turned(words[..., 0]).view(np.uint8).reshape(8, -1, 8)
    return np.ascontiguousarray(turned.transpose(1, 2, 0)).reshape(-1, BLOCK_BYTES)


def _turned(words: Slices) -> Slices:
    """Return each word as an 8 x 8 matrix of bits, transposed."""
    for shift, mask in (
        (7, 0x00AA00AA00AA00AA),
        (14, 0x0000CCCC0000CCCC),
        (28, 0x00000000F0F0F0F0),
    ):
        swap = (words ^ words >> np.uint64(shift)) & np.uint64(mask)
        words = words ^ swap ^ swap << np.uint64(shift)
    return np.ascontiguousarray(words)
