#include "net/wire/fetch_layout.h"

#include "net/wire/header.h"
#include "net/wire/message_codec.h"

namespace millrace::wire {

FetchResponseLayout encode_fetch_response(const FetchResponse& response, std::int16_t version,
                                          std::int32_t correlation_id) {
  FetchResponseLayout layout;
  const std::size_t at = start_response_frame(layout.bytes, ApiKey::fetch, version, correlation_id,
                                              encoded_size(response, version));
  Writer out(Bytes(layout.bytes).subspan(at));
  Encoder<Writer>(out, version, version >= FetchResponse::kFlexibleSince, &layout.gaps)
      .structure(response);
  std::size_t elsewhere = 0;
  for (RecordsGap& gap : layout.gaps) {
    gap.position += at;
    elsewhere += gap.size;
  }
  const std::size_t length = layout.bytes.size() - kFrameLengthBytes + elsewhere;
  CHECK(length <= static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()),
        "a Fetch answer of {} bytes", length);
  store_big_endian(layout.bytes.data(), static_cast<std::int32_t>(length));
  return layout;
}

}  // namespace millrace::wire
