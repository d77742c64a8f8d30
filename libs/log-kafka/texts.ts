import { defineTexts } from '#faults';

/** Why a topic of Kafka is not used as it is. */
export const texts = defineTexts({
  topic_setting: {
    id: '{setting} = {actual}, perlu {needed} (terima dengan SIMPUL_KAFKA_ACCEPT={check})',
    en: '{setting} = {actual}, needs {needed} (accept it with SIMPUL_KAFKA_ACCEPT={check})',
  },
  topic_fixed: {
    id: '{setting} = {actual}, perlu {needed}',
    en: '{setting} = {actual}, needs {needed}',
  },
});
