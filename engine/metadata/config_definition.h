// ConfigDefinition: one configuration as Kafka defines it: name, type, default and what a value
// must satisfy.
//
// Pure data. Topic configurations are defined in topic_config.cc, those of groups in group_config.cc; the broker's come from
// server/settings as a span, so that nothing here knows of the server.
#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"

namespace millrace::engine {

// Names and values as text, as records and files hold them.
using ConfigMap = std::map<std::string, std::string, std::less<>>;

// Values are those of DescribeConfigs.
enum class ConfigType : std::int8_t {
  boolean = 1,
  string = 2,
  integer = 3,
  short_integer = 4,
  long_integer = 5,
  real = 6,
  list = 7,
  class_name = 8,
  password = 9,
};
std::string_view to_string(ConfigType type);  // Kafka's word: BOOLEAN, INT, LONG, ...

// Values are those of DescribeConfigs.
enum class ConfigSource : std::int8_t {
  topic = 1,
  dynamic_broker = 2,   // set for this broker
  dynamic_default = 3,  // set for all brokers
  static_broker = 4,    // server.properties
  default_value = 5,
  group = 8,
};
std::string_view to_string(ConfigSource source);  // Kafka's word: DYNAMIC_TOPIC_CONFIG, ...

// How a broker configuration may change while the broker runs.
enum class ConfigUpdate : std::uint8_t { read_only, per_broker, cluster_wide };

// What a value must satisfy besides its type.
struct ConfigRule {
  enum class Kind : std::uint8_t {
    any,
    range,
    one_of,
    one_of_ignoring_case,
    not_empty,
    throttled_replicas
  };
  Kind kind = Kind::any;
  double least = std::numeric_limits<double>::lowest();
  double most = std::numeric_limits<double>::max();
  std::optional<double> or_else;  // also allowed, outside of the range
  std::string_view words =
      {};  // of one_of, separated by commas; for a list, each element is one of them
};

constexpr ConfigRule at_least(double least) {
  return {.kind = ConfigRule::Kind::range, .least = least};
}
constexpr ConfigRule between(double least, double most) {
  return {.kind = ConfigRule::Kind::range, .least = least, .most = most};
}
constexpr ConfigRule between_or(double least, double most, double or_else) {
  return {.kind = ConfigRule::Kind::range, .least = least, .most = most, .or_else = or_else};
}
constexpr ConfigRule one_of(std::string_view words) {
  return {.kind = ConfigRule::Kind::one_of, .words = words};
}
constexpr ConfigRule one_of_ignoring_case(std::string_view words) {
  return {.kind = ConfigRule::Kind::one_of_ignoring_case, .words = words};
}
constexpr ConfigRule not_empty() {
  return {.kind = ConfigRule::Kind::not_empty};
}

struct ConfigDefinition {
  std::string_view name;
  ConfigType type = ConfigType::string;
  std::optional<std::string_view> default_value = std::nullopt;  // nothing: null, as Kafka shows it
  ConfigRule rule = {};
  ConfigUpdate update = ConfigUpdate::read_only;  // of broker configurations
  bool internal = false;                          // not shown by DescribeConfigs
  std::string_view documentation = {};
};

using ConfigValue = std::variant<bool, std::int64_t, double, std::string, std::vector<std::string>>;

// `text` as a value of `definition`, type and rule checked.
//
// Errors: invalid_argument, with the message Kafka gives: `Invalid value X for configuration Y:
// why`.
Result<ConfigValue> parse_config(const ConfigDefinition& definition, std::string_view text);
// Whether parse_config() would take it.
Result<void> check_config(const ConfigDefinition& definition, std::string_view text);

// The elements of a list: separated by commas, spaces around them dropped. Empty text is an empty
// list.
std::vector<std::string> split_list(std::string_view text);

// Where the value of a configuration may come from, strongest first. Any of them may be null. All
// must outlive the use.
struct ConfigLayers {
  const ConfigMap* topic = nullptr;
  const ConfigMap* dynamic_broker = nullptr;
  const ConfigMap* dynamic_default = nullptr;
  const ConfigMap* static_broker = nullptr;
};

struct ConfigSynonym {
  std::string name;
  std::optional<std::string> value;
  ConfigSource source{};
  bool operator==(const ConfigSynonym&) const = default;
};

// One configuration as DescribeConfigs answers it.
struct DescribedConfig {
  std::string name;
  std::optional<std::string> value;  // nothing: null, or a secret
  bool read_only = false;
  bool sensitive = false;
  ConfigSource source = ConfigSource::default_value;
  ConfigType type = ConfigType::string;
  std::vector<ConfigSynonym> synonyms;
  std::string_view documentation;
};

}  // namespace millrace::engine
