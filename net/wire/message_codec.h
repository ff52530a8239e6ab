// The visitors behind message.h. Included only where messages are instantiated, and by those who
// describe records of their own in the same way.
#pragma once

#include <fmt/core.h>

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "net/wire/describe.h"
#include "net/wire/json_text.h"
#include "net/wire/message.h"
#include "net/wire/records_gap.h"

namespace millrace::wire {

// The fewest bytes a value of type T takes on the wire.
template <class T>
constexpr std::size_t smallest_wire_size() {
  if constexpr (std::is_arithmetic_v<T> || std::is_enum_v<T>)
    return sizeof(T);
  else if constexpr (std::is_same_v<T, Uuid>)
    return 16;
  else
    return 1;
}

// Decodes one message from a Reader. Lives for one call of decode().
class Decoder {
 public:
  Decoder(Reader& reader, std::int16_t version, bool flexible)
      : reader_(reader), version_(version), flexible_(flexible) {}

  // Where the first failure was.
  const char* failed_field() const { return failed_field_; }

  template <Described T>
  void structure(T& m) {
    const std::int64_t outer_tag = std::exchange(tag_, kNoTag);
    T::describe(*this, m);
    if (flexible_) tag_section(m);
    tag_ = outer_tag;
  }

  template <class T>
  void field(const char* name, T& value, const Field& spec) {
    if (tag_ != kNoTag || !spec.versions.contains(version_)) return;
    read_named(name, value, spec);
  }
  template <class T>
  void tagged(std::uint32_t tag, const char* name, T& value, const Field& spec) {
    if (tag_ != tag || !spec.versions.contains(version_)) return;
    read_named(name, value, spec);
    tag_found_ = true;  // only now: the value may have had tags of its own
  }
  template <class T>
  void tagged(std::uint32_t tag, const char* name, T& value, const Field& spec,
              const std::type_identity_t<T>&) {
    tagged(tag, name, value, spec);
  }

 private:
  static constexpr std::int64_t kNoTag = -1;

  template <Described T>
  void tag_section(T& m) {
    std::int64_t former_tag = -1;
    for (std::uint32_t left = reader_.uvarint(); left > 0 && reader_.ok(); --left) {
      tag_ = reader_.uvarint();
      if (tag_ <= former_tag) reader_.fail("tags are not in ascending order");
      former_tag = tag_;
      const std::uint32_t size = reader_.uvarint();
      if (size > reader_.remaining())
        reader_.fail("a tagged field exceeds what remains of the frame");
      if (!reader_.ok()) return;
      const std::size_t former_end = reader_.narrow(size);
      tag_found_ = false;
      T::describe(*this, m);
      if (!tag_found_) reader_.bytes(size);
      if (reader_.remaining() > 0) reader_.fail("a tagged field is longer than its value");
      reader_.widen(former_end);
    }
  }

  template <class T>
  void read_named(const char* name, T& value, const Field& spec) {
    if (!reader_.ok()) return;
    read(value, spec);
    if (!reader_.ok() && failed_field_ == nullptr) failed_field_ = name;
  }

  template <std::integral T>
  void read(T& value, const Field&) {
    value = reader_.integer<T>();
  }
  void read(bool& value, const Field&) { value = reader_.boolean(); }
  void read(ErrorCode& value, const Field&) {
    value = static_cast<ErrorCode>(reader_.integer<std::int16_t>());
  }
  void read(double& value, const Field&) { value = reader_.float64(); }
  void read(Uuid& value, const Field&) { value = reader_.uuid(); }

  void read(std::string_view& value, const Field&) { value = reader_.text(present(text_length())); }
  void read(std::optional<std::string_view>& value, const Field& spec) {
    const std::int64_t length = text_length();
    if (length < 0 && null_allowed(spec))
      value.reset();
    else
      value = reader_.text(present(length));
  }
  // Text that is owned: metadata records outlive the bytes they were read from.
  void read(std::string& value, const Field&) { value = reader_.text(present(text_length())); }
  void read(std::optional<std::string>& value, const Field& spec) {
    const std::int64_t length = text_length();
    if (length < 0 && null_allowed(spec))
      value.reset();
    else
      value = std::string(reader_.text(present(length)));
  }
  void read(WireBytes& value, const Field&) { value = reader_.bytes(present(length())); }
  void read(std::optional<WireBytes>& value, const Field& spec) {
    const std::int64_t size = length();
    if (size < 0 && null_allowed(spec))
      value.reset();
    else
      value = reader_.bytes(present(size));
  }
  void read(FetchedRecords& value, const Field& spec) { read(value.here, spec); }

  template <class T>
  void read(std::vector<T>& value, const Field&) {
    elements(value, present(length()));
  }
  template <class T>
  void read(std::optional<std::vector<T>>& value, const Field& spec) {
    const std::int64_t count = length();
    if (count < 0 && null_allowed(spec))
      value.reset();
    else
      elements(value.emplace(), present(count));
  }
  template <Described T>
  void read(T& value, const Field&) {
    structure(value);
  }
  template <Described T>
  void read(std::optional<T>& value, const Field& spec) {
    if (!null_allowed(spec)) return structure(value.emplace());
    // In a tag of its own 0 says that there is nothing, elsewhere -1. The fields of a structure in a tag stand in none.
    const bool in_tag = tag_ != kNoTag;
    const bool is_null = in_tag ? reader_.uvarint() == 0 : reader_.integer<std::int8_t>() < 0;
    if (is_null)
      value.reset();
    else
      structure(value.emplace());
  }

  template <class T>
  void elements(std::vector<T>& values, std::size_t count) {
    values.clear();
    if (!reader_.admit_elements(static_cast<std::int64_t>(count), smallest_wire_size<T>(),
                                sizeof(T))) {
      return;
    }
    values.reserve(count);
    for (; count > 0 && reader_.ok(); --count) read(values.emplace_back(), Field{});
  }

  bool null_allowed(const Field& spec) const { return spec.null_versions.contains(version_); }
  std::int64_t text_length() { return flexible_ ? reader_.length_compact() : reader_.length16(); }
  std::int64_t length() { return flexible_ ? reader_.length_compact() : reader_.length32(); }
  std::size_t present(std::int64_t length) {
    if (length >= 0) return static_cast<std::size_t>(length);
    reader_.fail("null where this version has none");
    return 0;
  }

  Reader& reader_;
  std::int16_t version_;
  bool flexible_;
  bool tag_found_ = false;
  std::int64_t tag_ = kNoTag;  // while a tag section is read: the tag to be matched
  const char* failed_field_ = nullptr;
};

// Encodes one message into a Writer, or measures it with a Sizer.
template <class Sink>
class Encoder {
 public:
  // `gaps` is where records that are elsewhere are listed; without it there must be none.
  Encoder(Sink& sink, std::int16_t version, bool flexible, std::vector<RecordsGap>* gaps = nullptr)
      : sink_(sink), version_(version), flexible_(flexible), gaps_(gaps) {}

  template <Described T>
  void structure(const T& m) {
    const bool outer_tags = std::exchange(in_tags_, false);
    const std::uint32_t outer_count = std::exchange(tag_count_, 0);
    T::describe(*this, m);
    if (flexible_) {
      sink_.uvarint(tag_count_);
      in_tags_ = true;
      if (tag_count_ > 0) T::describe(*this, m);
    }
    in_tags_ = outer_tags;
    tag_count_ = outer_count;
  }

  template <class T>
  void field(const char*, const T& value, const Field& spec) {
    if (!in_tags_ && spec.versions.contains(version_)) write(value, spec);
  }
  template <class T>
  void tagged(std::uint32_t tag, const char* name, const T& value, const Field& spec) {
    tagged(tag, name, value, spec, T{});
  }
  template <class T>
  void tagged(std::uint32_t tag, const char*, const T& value, const Field& spec,
              const std::type_identity_t<T>& default_value) {
    if (!flexible_ || !spec.versions.contains(version_) || value == default_value) return;
    if (!in_tags_) {
      ++tag_count_;
      return;
    }
    Sizer sizer;
    Encoder<Sizer>(sizer, version_, flexible_).write_in_tag(value, spec);
    sink_.uvarint(tag);
    sink_.uvarint(static_cast<std::uint32_t>(sizer.position()));
    in_tags_ = false;
    write_in_tag(value, spec);
    in_tags_ = true;
  }

  template <class T>
  void write_in_tag(const T& value, const Field& spec) {
    write(value, spec);
  }
  // In a tag of its own 0 says that there is nothing, elsewhere -1.
  template <Described T>
  void write_in_tag(const std::optional<T>& value, const Field& spec) {
    if (!null_allowed(spec)) return write(value, spec);
    sink_.uvarint(value ? 1 : 0);
    if (value) structure(*value);
  }

  template <std::integral T>
  void write(T value, const Field&) {
    sink_.integer(value);
  }
  void write(bool value, const Field&) { sink_.integer(static_cast<std::int8_t>(value)); }
  void write(ErrorCode value, const Field&) { sink_.integer(static_cast<std::int16_t>(value)); }
  void write(double value, const Field&) { sink_.integer(std::bit_cast<std::uint64_t>(value)); }
  void write(const Uuid& value, const Field&) {
    sink_.bytes(std::as_bytes(std::span(value.bytes)));
  }
  void write(std::string_view value, const Field&) {
    const std::string_view text = sendable_text(value);
    text_length(static_cast<std::int64_t>(text.size()));
    sink_.bytes(as_bytes(text));
  }
  void write(const std::optional<std::string_view>& value, const Field& spec) {
    if (!value && null_allowed(spec))
      text_length(-1);
    else
      write(value.value_or(std::string_view{}), spec);
  }
  void write(const std::string& value, const Field& spec) { write(std::string_view(value), spec); }
  void write(const std::optional<std::string>& value, const Field& spec) {
    write(value ? std::optional<std::string_view>(*value) : std::nullopt, spec);
  }
  void write(const WireBytes& value, const Field&) {
    length(static_cast<std::int64_t>(value.size()));
    sink_.bytes(value);
  }
  void write(const std::optional<WireBytes>& value, const Field& spec) {
    if (!value && null_allowed(spec))
      length(-1);
    else
      write(value.value_or(WireBytes{}), spec);
  }
  void write(const FetchedRecords& value, const Field& spec) {
    const std::uint32_t ordinal = records_seen_++;
    if (value.size_elsewhere == 0) return write(value.here, spec);
    length(static_cast<std::int64_t>(value.size_elsewhere));
    if constexpr (std::is_same_v<Sink, Writer>) {
      CHECK(gaps_ != nullptr, "records that are elsewhere need encode_fetch_response");
      gaps_->push_back({sink_.position(), ordinal, value.size_elsewhere});
    }
  }
  template <class T>
  void write(const std::vector<T>& values, const Field&) {
    length(static_cast<std::int64_t>(values.size()));
    for (const T& value : values) write(value, Field{});
  }
  template <class T>
  void write(const std::optional<std::vector<T>>& value, const Field& spec) {
    if (value)
      write(*value, spec);
    else
      length(null_allowed(spec) ? -1 : 0);
  }
  template <Described T>
  void write(const T& value, const Field&) {
    structure(value);
  }
  template <Described T>
  void write(const std::optional<T>& value, const Field& spec) {
    if (null_allowed(spec)) {
      sink_.integer(static_cast<std::int8_t>(value ? 1 : -1));
      if (!value) return;
    }
    structure(value ? *value : T{});
  }

 private:
  bool null_allowed(const Field& spec) const { return spec.null_versions.contains(version_); }
  void text_length(std::int64_t length) {
    if (flexible_)
      sink_.uvarint(static_cast<std::uint32_t>(length + 1));
    else
      sink_.integer(static_cast<std::int16_t>(length));
  }
  void length(std::int64_t length) {
    CHECK(length <= std::numeric_limits<std::int32_t>::max(), "a field of {} bytes", length);
    if (flexible_)
      sink_.uvarint(static_cast<std::uint32_t>(length + 1));
    else
      sink_.integer(static_cast<std::int32_t>(length));
  }

  Sink& sink_;
  std::int16_t version_;
  bool flexible_;
  bool in_tags_ = false;
  std::uint32_t tag_count_ = 0;
  std::uint32_t records_seen_ = 0;
  std::vector<RecordsGap>* gaps_;
};

// Prints one message as JSON.
class Printer {
 public:
  explicit Printer(std::int16_t version) : version_(version) {}

  std::string take() { return std::move(text_); }

  template <Described T>
  void structure(const T& m) {
    text_ += '{';
    T::describe(*this, m);
    text_ += '}';
  }
  template <class T>
  void field(const char* name, const T& value, const Field& spec) {
    if (!spec.versions.contains(version_)) return;
    if (text_.back() != '{') text_ += ',';
    append_json_text(text_, name);
    text_ += ':';
    print(value);
  }
  template <class T>
  void tagged(std::uint32_t, const char* name, const T& value, const Field& spec) {
    if (value != T{}) field(name, value, spec);
  }
  template <class T>
  void tagged(std::uint32_t, const char* name, const T& value, const Field& spec,
              const std::type_identity_t<T>& default_value) {
    if (value != default_value) field(name, value, spec);
  }

 private:
  void print(bool value) { text_ += value ? "true" : "false"; }
  void print(std::signed_integral auto value) { text_ += std::to_string(value); }
  void print(std::unsigned_integral auto value) { text_ += std::to_string(value); }
  void print(double value) { append_json_number(text_, value); }
  void print(ErrorCode value) { append_json_text(text_, error_name(value)); }
  void print(const Uuid& value) { append_json_text(text_, value.to_string()); }
  void print(const std::string& value) { append_json_text(text_, value); }
  void print(std::string_view value) { append_json_text(text_, value); }
  void print(const WireBytes& value) { text_ += fmt::format("\"{} bytes\"", value.size()); }
  void print(const FetchedRecords& value) {
    if (value.size_elsewhere == 0) return print(value.here);
    text_ += fmt::format("\"{} bytes\"", value.size_elsewhere);
  }
  template <class T>
  void print(const std::optional<T>& value) {
    if (value)
      print(*value);
    else
      text_ += "null";
  }
  template <class T>
  void print(const std::vector<T>& values) {
    text_ += '[';
    for (const T& value : values) {
      if (text_.back() != '[') text_ += ',';
      print(value);
    }
    text_ += ']';
  }
  template <Described T>
  void print(const T& value) {
    structure(value);
  }

  std::int16_t version_;
  std::string text_;
};

template <class T>
Result<T> decode(ConstBytes body, std::int16_t version) {
  if (!T::kVersions.contains(version)) {
    return fail(Errc::unsupported, fmt::format("{} has no version {}", T::kName, version));
  }
  Reader reader(body);
  Decoder decoder(reader, version, version >= T::kFlexibleSince);
  Result<T> message(std::in_place);
  decoder.structure(*message);
  if (reader.ok() && reader.remaining() > 0) reader.fail("bytes are left over");
  if (reader.ok()) return message;
  const char* field = decoder.failed_field() == nullptr ? "end" : decoder.failed_field();
  return fail(Errc::malformed,
              fmt::format("{} version {}, at {}: {}", T::kName, version, field, reader.error()));
}

template <class T>
std::size_t encoded_size(const T& message, std::int16_t version) {
  CHECK(T::kVersions.contains(version), "{} version {}", T::kName, version);
  Sizer sizer;
  Encoder<Sizer>(sizer, version, version >= T::kFlexibleSince).structure(message);
  return sizer.position();
}

template <class T>
void encode(const T& message, std::int16_t version, Writer& out) {
  CHECK(T::kVersions.contains(version), "{} version {}", T::kName, version);
  Encoder<Writer>(out, version, version >= T::kFlexibleSince).structure(message);
}

template <class T>
std::string to_text(const T& message, std::int16_t version) {
  Printer printer(version);
  printer.structure(message);
  return printer.take();
}

}  // namespace millrace::wire

// Instantiates message.h for one message, inside namespace millrace::wire. Used once per message.
#define MILLRACE_WIRE_INSTANTIATE(T)                            \
  template Result<T> decode<T>(ConstBytes, std::int16_t);       \
  template std::size_t encoded_size<T>(const T&, std::int16_t); \
  template void encode<T>(const T&, std::int16_t, Writer&);     \
  template std::string to_text<T>(const T&, std::int16_t)
