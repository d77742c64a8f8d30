import { defineTexts } from '#faults';

/** Why a place in a stream cannot be read from, and what was expected. */
export const texts = defineTexts({
  not_a_place: { id: 'bukan tempat dalam aliran', en: 'not a place in a stream' },
  position_of_another_stream: { id: 'bukan posisi aliran ini', en: 'not a position of this stream' },
  position_not_reached: {
    id: 'posisi yang belum dicapai aliran',
    en: 'a position that the stream has not reached',
  },
  no_longer_kept: { id: 'sudah tidak disimpan', en: 'no longer kept' },
  places: {
    id: 'earliest · latest · waktu dengan zona · posisi',
    en: 'earliest · latest · time with zone · position',
  },
});
