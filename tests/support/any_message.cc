#include "tests/support/any_message.h"

#include "net/wire/all_messages.h"
#include "tests/support/message_filler.h"

namespace millrace::test {
namespace {

template <class T>
Drawn drawn(const T& message, std::int16_t version) {
  Drawn result;
  result.body.resize(wire::encoded_size(message, version));
  wire::Writer out(result.body);
  wire::encode(message, version, out);
  result.size_is_exact = out.remaining() == 0;
  result.text = wire::to_text(message, version);
  const auto decoded = wire::decode<T>(result.body, version);
  result.reads_back = decoded.has_value() && *decoded == message;
  return result;
}

template <class T>
Drawn pattern(std::int16_t version, bool full) {
  PatternFiller filler(version, full);
  T message;
  filler.structure(message);
  return drawn(message, version);
}

template <class T>
Drawn random(std::int16_t version, Prng& prng) {
  RandomFiller filler(version, prng);
  T message;
  filler.structure(message);
  return drawn(message, version);
}

template <class T>
Result<Reread> reread(ConstBytes body, std::int16_t version) {
  TRY(message, wire::decode<T>(body, version));
  Reread result;
  result.body.resize(wire::encoded_size(message, version));
  wire::Writer out(result.body);
  wire::encode(message, version, out);
  result.text = wire::to_text(message, version);
  return result;
}

template <class T>
bool decodes(ConstBytes body, std::int16_t version) {
  return wire::decode<T>(body, version).has_value();
}

template <class T>
AnyMessage any(bool is_request) {
  return {T::kName,   T::kKey,   is_request, T::kVersions,
          pattern<T>, random<T>, reread<T>,  decodes<T>};
}

}  // namespace

std::span<const AnyMessage> any_messages() {
  static const std::vector<AnyMessage> kMessages = [] {
    std::vector<AnyMessage> messages;
    wire::for_each_request([&]<class Request>() {
      messages.push_back(any<Request>(true));
      messages.push_back(any<typename Request::Response>(false));
    });
    return messages;
  }();
  return kMessages;
}

const AnyMessage* find_message(wire::ApiKey key, bool is_request) {
  for (const AnyMessage& message : any_messages()) {
    if (message.key == key && message.is_request == is_request) return &message;
  }
  return nullptr;
}

}  // namespace millrace::test
