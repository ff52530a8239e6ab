// The writers of compressed payloads: what Apache's clients read. gzip, snappy in Xerial's framing, one lz4 frame of independent
// 64 KiB blocks, one zstd frame that says how long it is.
//
// Shard:      anywhere.
// Lifetime:   of one payload.
// Memory:     the library's: gzip 256 KiB, lz4 some hundred KiB, zstd a few MiB by its level.
#pragma once

#include <array>
#include <cstddef>
#include <memory>

#include "base/result.h"
#include "engine/log/format/codec.h"

namespace millrace::log {

// Xerial's framing of snappy: magic, then two 32-bit versions, then blocks of a 32-bit size and that many bytes.
inline constexpr std::array<unsigned char, 8> kXerialMagic = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0};
inline constexpr std::size_t kXerialHeaderBytes = 16;

// Levels out of a codec's range are brought to its nearest. Errors: unsupported_codec.
Result<std::unique_ptr<PayloadWriter>> make_payload_writer(Codec codec, int level,
                                                           std::size_t plain_bytes);

}  // namespace millrace::log
