// Our descriptions of the messages against the facts of Kafka's schemas: names, types, versions,
// null, tags, defaults, what may be dropped. spec_fields.txt is made from the schemas by
// spec_fields.py.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "net/wire/all_messages.h"

namespace millrace::wire {
namespace {

std::string range_text(const VersionRange& versions) {
  if (versions.max == kNoVersion) return fmt::format("{}+", versions.min);
  return fmt::format("{}-{}", versions.min, versions.max);
}

// Kafka's word for a C++ type, and the default as its schemas write it; empty where they write
// none.
struct Facts {
  std::string type;
  std::string default_value;
};

Facts facts_of(bool value) {
  return {"bool", value ? "true" : "false"};
}
Facts facts_of(std::int8_t value) {
  return {"int8", std::to_string(value)};
}
Facts facts_of(std::int16_t value) {
  return {"int16", std::to_string(value)};
}
Facts facts_of(std::int32_t value) {
  return {"int32", std::to_string(value)};
}
Facts facts_of(std::int64_t value) {
  return {"int64", std::to_string(value)};
}
Facts facts_of(std::uint16_t value) {
  return {"uint16", std::to_string(value)};
}
Facts facts_of(ErrorCode value) {
  return facts_of(static_cast<std::int16_t>(value));
}
Facts facts_of(const Uuid&) {
  return {"uuid", ""};
}
Facts facts_of(std::string_view value) {
  return {"string", std::string(value)};
}
Facts facts_of(const WireBytes&) {
  return {"bytes", ""};
}
Facts facts_of(const FetchedRecords&) {
  return {"bytes", ""};
}
template <Described T>
Facts facts_of(const T&) {
  return {"struct", ""};
}
template <class T>
Facts facts_of(const std::vector<T>&) {
  return {"[]" + facts_of(T{}).type, ""};
}
template <class T>
Facts facts_of(const std::optional<T>& value) {
  if (value) return facts_of(*value);
  return {facts_of(T{}).type, "null"};
}

// Writes the lines that spec_fields.txt should have for one message.
class FactWriter {
 public:
  explicit FactWriter(std::string message) : message_(std::move(message)) {}

  std::vector<std::string> take() { return std::move(lines_); }

  template <Described T>
  void structure(const T& m) {
    T::describe(*this, m);
  }
  template <class T>
  void field(const char* name, const T& value, const Field& spec) {
    line(name, value, spec, "");
  }
  template <class T>
  void tagged(std::uint32_t tag, const char* name, const T& value, const Field& spec) {
    EXPECT_EQ(value, T{}) << message_ << " " << name << ": its default must be told to tagged()";
    line(name, value, spec, fmt::format(" tag={}", tag));
  }
  template <class T>
  void tagged(std::uint32_t tag, const char* name, const T& value, const Field& spec,
              const std::type_identity_t<T>& default_value) {
    EXPECT_EQ(value, default_value) << message_ << " " << name;
    line(name, value, spec, fmt::format(" tag={}", tag));
  }

 private:
  template <class T>
  void line(const char* name, const T& value, const Field& spec, const std::string& tag) {
    const Facts facts = facts_of(value);
    std::string line = fmt::format("{} {}{} {} {}", message_, prefix_, name, facts.type,
                                   range_text(spec.versions));
    if (spec.null_versions.min != kNoVersion) line += " null=" + range_text(spec.null_versions);
    line += tag;
    if (!facts.default_value.empty()) line += " default=" + facts.default_value;
    if (spec.may_be_dropped) line += " ignorable";
    lines_.push_back(line);
    const std::string outer = std::exchange(prefix_, fmt::format("{}{}.", prefix_, name));
    inside(value);
    prefix_ = outer;
  }
  void inside(const auto&) {}
  template <Described T>
  void inside(const T& value) {
    structure(value);
  }
  template <class T>
  void inside(const std::vector<T>&) {
    inside(T{});
  }
  template <class T>
  void inside(const std::optional<T>&) {
    inside(T{});
  }

  std::string message_;
  std::string prefix_;
  std::vector<std::string> lines_;
};

std::vector<std::string> spec_lines(const std::string& message) {
  std::vector<std::string> lines;
  std::ifstream file("tests/unit/net/wire/spec_fields.txt");
  for (std::string line; std::getline(file, line);) {
    // Records are bytes with a promise about what is in them.
    if (const auto at = line.find(" records "); at != std::string::npos)
      line.replace(at, 9, " bytes ");
    if (line.starts_with(message + " ") || line.starts_with("message " + message + " ")) {
      lines.push_back(line);
    }
  }
  return lines;
}

TEST(SpecFields, every_message_has_the_fields_of_kafkas_schema) {
  for_each_message([]<class T>() {
    const std::string name(T::kName);
    std::vector<std::string> ours;
    ours.push_back(fmt::format(
        "message {} {}-{} {}", name, T::kVersions.min, T::kVersions.max,
        T::kFlexibleSince == kNoVersion ? "none" : fmt::format("{}+", T::kFlexibleSince)));
    FactWriter writer(name);
    writer.structure(T{});
    for (std::string& line : writer.take()) ours.push_back(std::move(line));
    EXPECT_EQ(ours, spec_lines(name)) << name;
  });
}

TEST(SpecFields, the_table_of_apis_agrees_with_the_messages) {
  std::size_t apis = 0;
  for_each_request([&]<class Request>() {
    const ApiInfo* api = find_api(Request::kKey);
    ASSERT_NE(api, nullptr) << Request::kName;
    EXPECT_EQ(std::string(api->name) + "Request", Request::kName);
    EXPECT_EQ(api->name, api_name(Request::kKey));
    EXPECT_EQ(api->flexible_since, Request::kFlexibleSince) << Request::kName;
    EXPECT_EQ(Request::kVersions, Request::Response::kVersions) << Request::kName;
    EXPECT_EQ(Request::kKey, Request::Response::kKey) << Request::kName;
    // InitProducerId 6 is understood but not served: Kafka calls it unstable.
    const int unstable = Request::kKey == ApiKey::init_producer_id ? 1 : 0;
    EXPECT_EQ(api->versions.min, Request::kVersions.min) << Request::kName;
    EXPECT_EQ(api->versions.max, Request::kVersions.max - unstable) << Request::kName;
    ++apis;
  });
  EXPECT_EQ(apis, all_apis().size());
}

}  // namespace
}  // namespace millrace::wire
