// Metadata records filled at random through their own describe(), for properties of all of them.
#pragma once

#include <string>
#include <vector>

#include "base/prng.h"
#include "engine/metadata/records.h"

namespace millrace::engine::testing {

// Fills what version `version` carries and leaves the rest at its default.
class RandomFiller {
 public:
  RandomFiller(Prng& prng, std::int16_t version) : prng_(prng), version_(version) {}

  template <class T>
  void field(const char*, T& value, const wire::Field& spec) {
    if (spec.versions.contains(version_)) fill(value, spec);
  }
  template <class T>
  void tagged(std::uint32_t, const char*, T& value, const wire::Field& spec) {
    if (spec.versions.contains(version_) && prng_.chance(2)) fill(value, spec);
  }
  template <class T>
  void tagged(std::uint32_t tag, const char* name, T& value, const wire::Field& spec,
              const std::type_identity_t<T>&) {
    tagged(tag, name, value, spec);
  }

 private:
  template <std::integral T>
  void fill(T& value, const wire::Field&) {
    value = static_cast<T>(prng_.next());
  }
  void fill(bool& value, const wire::Field&) { value = prng_.chance(2); }
  void fill(double& value, const wire::Field&) { value = prng_.fraction(); }
  void fill(Uuid& value, const wire::Field&) {
    value = Uuid::from_random(prng_.next(), prng_.next());
  }
  void fill(std::string& value, const wire::Field&) {
    value.clear();
    for (auto left = prng_.below(9); left > 0; --left)
      value += static_cast<char>('a' + prng_.below(26));
  }
  template <class T>
  void fill(std::optional<T>& value, const wire::Field& spec) {
    if (prng_.chance(3))
      value.reset();
    else
      fill(value.emplace(), spec);
  }
  template <class T>
  void fill(std::vector<T>& values, const wire::Field& spec) {
    values.resize(prng_.below(4));
    for (T& value : values) fill(value, spec);
  }
  template <wire::Described T>
  void fill(T& value, const wire::Field&) {
    T::describe(*this, value);
  }

  Prng& prng_;
  std::int16_t version_;
};

template <class Record>
VersionedRecord random_record(Prng& prng, std::int16_t version) {
  Record record;
  RandomFiller filler(prng, version);
  Record::describe(filler, record);
  return {record, version};
}

namespace detail {
template <std::size_t Index, class Visit>
void for_each_type(Prng& prng, const Visit& visit) {
  if constexpr (Index < std::variant_size_v<MetadataRecord>) {
    using Record = std::variant_alternative_t<Index, MetadataRecord>;
    for (std::int16_t version = Record::kVersions.min; version <= Record::kVersions.max;
         ++version) {
      visit(random_record<Record>(prng, version));
    }
    for_each_type<Index + 1>(prng, visit);
  }
}
}  // namespace detail

// One random record of each type in each of its versions.
template <class Visit>
void for_each_record_version(Prng& prng, const Visit& visit) {
  detail::for_each_type<0>(prng, visit);
}

}  // namespace millrace::engine::testing
